import com.prowidesoftware.swift.model.mx.MxAuth01600101;
import com.prowidesoftware.swift.model.mx.dic.ExecutingParty1Choice;
import com.prowidesoftware.swift.model.mx.dic.GenericPersonIdentification1;
import com.prowidesoftware.swift.model.mx.dic.InvestmentParty1Choice;
import com.prowidesoftware.swift.model.mx.dic.PartyIdentification76;
import com.prowidesoftware.swift.model.mx.dic.PartyIdentification79;
import com.prowidesoftware.swift.model.mx.dic.PersonIdentification12;
import com.prowidesoftware.swift.model.mx.dic.PersonOrOrganisation1Choice;
import com.prowidesoftware.swift.model.mx.dic.ReportingTransactionType1Choice;
import com.prowidesoftware.swift.model.mx.dic.SecuritiesTransaction1;
import com.prowidesoftware.swift.model.mx.dic.SecuritiesTransactionReport2;
import com.prowidesoftware.swift.model.mx.dic.SecuritiesTransactionReport4;
import com.prowidesoftware.swift.model.mx.dic.SupplementaryData1;
import jakarta.xml.bind.JAXBContext;
import jakarta.xml.bind.SchemaOutputResolver;
import jakarta.xml.bind.Unmarshaller;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import javax.xml.XMLConstants;
import javax.xml.parsers.SAXParserFactory;
import javax.xml.transform.Result;
import javax.xml.transform.sax.SAXSource;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import org.w3c.dom.Element;
import org.xml.sax.Attributes;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;
import org.xml.sax.helpers.XMLFilterImpl;

/** Checks an auth.016 message against the model of ISO 20022 of another program, and prints what that program reads in it. */
class TransactionReports {
    static final String NAMESPACE = MxAuth01600101.NAMESPACE;

    /** Elements of the message as the model names them: without a namespace below the first one. */
    static class Plain extends XMLFilterImpl {
        static String of(String uri, String name) {
            return uri.equals(NAMESPACE) && !name.equals("Document") ? "" : uri;
        }

        @Override
        public void startElement(String uri, String name, String qualified, Attributes attributes) throws SAXException {
            super.startElement(of(uri, name), name, qualified, attributes);
        }

        @Override
        public void endElement(String uri, String name, String qualified) throws SAXException {
            super.endElement(of(uri, name), name, qualified);
        }
    }

    /** The schema that follows from the model: order, what is required, and types. A choice has one of its elements. */
    static String schema(JAXBContext context) throws Exception {
        Map<String, StringWriter> written = new TreeMap<>();
        context.generateSchema(new SchemaOutputResolver() {
            @Override
            public Result createOutput(String namespace, String file) {
                StreamResult result = new StreamResult(written.computeIfAbsent(namespace, it -> new StringWriter()));
                result.setSystemId(file);
                return result;
            }
        });
        String types = written.get("").toString();
        String head = "<xs:schema targetNamespace=\"" + NAMESPACE + "\" xmlns=\"" + NAMESPACE + "\" elementFormDefault=\"qualified\" ";
        String root = "<xs:element name=\"Document\"><xs:complexType><xs:sequence><xs:element name=\"FinInstrmRptgTxRpt\" "
            + "type=\"FinancialInstrumentReportingTransactionReportV01\"/></xs:sequence></xs:complexType></xs:element>";
        types = types.replace("<xs:schema ", head).replace("</xs:schema>", root + "</xs:schema>");
        Pattern choice = Pattern.compile("(<xs:complexType name=\"\\w+Choice\">\\s*)<xs:sequence>(.*?)</xs:sequence>", Pattern.DOTALL);
        return choice.matcher(types).replaceAll(it -> it.group(1) + "<xs:choice>" + it.group(2).replace(" minOccurs=\"0\"", "") + "</xs:choice>");
    }

    static String person(GenericPersonIdentification1 number) {
        var scheme = number.getSchmeNm();
        return number.getId() + "/" + (scheme.getCd() == null ? scheme.getPrtry() : scheme.getCd());
    }

    static String person(PersonIdentification12 person) {
        return person.getCtryOfBrnch() + ":" + person(person.getOthr());
    }

    static String party(PartyIdentification79 party) {
        StringBuilder out = new StringBuilder();
        for (PartyIdentification76 owner : party.getAcctOwnr()) {
            PersonOrOrganisation1Choice id = owner.getId();
            var person = id.getPrsn();
            out.append(person == null ? id.getLEI()
                : person.getFrstNm() + "+" + person.getNm() + "+" + person.getBirthDt() + "+" + person(person.getOthr()));
            out.append('@').append(owner.getCtryOfBrnch());
        }
        party.getDcsnMakr().forEach(maker -> out.append(" by ").append(maker.getLEI()));
        return out.toString();
    }

    static String decider(InvestmentParty1Choice decider) {
        return decider == null ? "nobody" : decider.getAlgo() == null ? person(decider.getPrsn()) : decider.getAlgo();
    }

    static String decider(ExecutingParty1Choice decider) {
        return decider.getClnt() != null ? decider.getClnt().value() : decider.getAlgo() == null ? person(decider.getPrsn()) : decider.getAlgo();
    }

    static void print(SecuritiesTransactionReport4 report) {
        SecuritiesTransaction1 of = report.getTx();
        var price = of.getPric().getPric().getMntryVal();
        String signed = price.isSgn() == null || price.isSgn() ? "" : "-";
        System.out.println("new " + report.getTxId() + " of " + report.getExctgPty() + " " + report.isInvstmtPtyInd() + " by " + report.getSubmitgPty());
        System.out.println(" buyer " + party(report.getBuyr()) + " via " + report.getOrdrTrnsmssn().getTrnsmttgBuyr());
        System.out.println(" seller " + party(report.getSellr()) + " via " + report.getOrdrTrnsmssn().getTrnsmttgSellr());
        System.out.println(" passed on " + report.getOrdrTrnsmssn().isTrnsmssnInd());
        System.out.println(" " + of.getTradDt().toInstant() + " " + of.getTradgCpcty().value() + " " + of.getQty().getUnit().toPlainString() + " at "
            + signed + price.getAmt().getValue().toPlainString() + " " + price.getAmt().getCcy() + " on " + of.getTradVn() + " in "
            + report.getFinInstrm().getId());
        System.out.println(" decided by " + decider(report.getInvstmtDcsnPrsn()) + ", executed by " + decider(report.getExctgPrsn()));
        var indicators = report.getAddtlAttrbts();
        String sale = indicators.getShrtSellgInd() == null ? "none" : indicators.getShrtSellgInd().value();
        System.out.println(" short " + sale + ", financing " + indicators.isSctiesFincgTxInd());
    }

    static void print(SecuritiesTransactionReport2 report) {
        System.out.println("cancel " + report.getTxId() + " of " + report.getExctgPty() + " by " + report.getSubmitgPty());
    }

    public static void main(String[] arguments) throws Exception {
        String message = Files.readString(Path.of(arguments[0]));
        JAXBContext context = JAXBContext.newInstance(MxAuth01600101.class);
        SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
        factory.newSchema(new StreamSource(new StringReader(schema(context)))).newValidator().validate(new StreamSource(new StringReader(message)));

        // Words that the model does not know are texts in that schema, and refused here.
        Unmarshaller unmarshaller = context.createUnmarshaller();
        unmarshaller.setEventHandler(event -> false);
        SAXParserFactory parsers = SAXParserFactory.newInstance();
        parsers.setNamespaceAware(true);
        Plain plain = new Plain();
        plain.setParent(parsers.newSAXParser().getXMLReader());
        MxAuth01600101 read = (MxAuth01600101) unmarshaller.unmarshal(new SAXSource(plain, new InputSource(new StringReader(message))));
        for (ReportingTransactionType1Choice record : read.getFinInstrmRptgTxRpt().getTx()) {
            if (record.getNew() != null) {
                print(record.getNew());
            } else {
                print(record.getCxl());
            }
        }
        for (SupplementaryData1 data : read.getFinInstrmRptgTxRpt().getSplmtryData()) {
            Element report = (Element) data.getEnvlp().getAny();
            Element manifest = (Element) report.getElementsByTagNameNS("*", "manifest").item(0);
            System.out.println(report.getAttribute("status") + " " + report.getAttribute("name") + " commit " + manifest.getAttribute("commit_id"));
        }
    }
}
